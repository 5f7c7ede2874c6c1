"""Words before a colon that introduce a text (`Rule: never run.`) and are no speaker's name."""

from __future__ import annotations

#: Words before a colon that are spoken, not the name of the speaker.
NON_NAMES = frozenset(
    "also answer because but example first fact finally here hint imagine listen look no note now "
    "okay or question remember rule second so still then therefore think third well yes yet "
    "the a an this that these those my our your his her its what who why how when where if and "
    "meaning namely plus wait warning attention caution danger notice important conclusion problem "
    "reason result solution summary step tip title subject update translation correction "
    "one two three four reminder spoiler disclaimer aside keywords fyi ps time date place location "
    "score status target mission breaking news clue bonus screenplay "
    # the same in other languages of Europe
    "c'est-à-dire réponse règle résultat remarque attention exemple beispiel nämlich frage antwort "
    "achtung regel merke fazit ergebnis hinweis ejemplo pregunta respuesta regla nota recuerda "
    "problema resultado esempio domanda risposta regola exemplo pergunta resposta regra voorbeeld "
    "aber als am bezeichnung entscheidend genauer konkret nebenbei randnotiz stichwörter "
    "vorwarnung wobei zum zunächst zur bref comme mots-clés souvenez-vous busquen píensalo prevod "
    "поясню помните предупреждение напоминаю смотрите "
    "vraag antwoord пример вопрос ответ итог правило значит например внимание задача".split()
)
#: Nouns that number a topic: `Rule 2: never run.`, `Golden Rule: ...`
TOPICS = frozenset(
    "rule fact question answer step chapter part lesson option plan point problem reason example "
    "act day scene week year episode number phase figure tip theorem equation case exhibit article "
    "section level version test item round".split()
)
#: The same in scripts without capitals: he said, the question, for example, remember, note.
CASELESS_NON_NAMES = frozenset(
    "قال قالت قلت قالوا سؤال السؤال جواب الجواب مثلا مثال ملاحظة تذكر النتيجة الحل "
    "אמר אמרה אמרתי שאלה השאלה תשובה התשובה למשל דוגמה הערה זכור "
    "कहा बोला बोली सवाल जवाब प्रश्न उत्तर उदाहरण याद ध्यान सुनो "
    "问题 問題 答案 注意 记住 記住 例如 比如 结果 結果 原因 结论 結論 时间 時間 "
    "地点 地點 例 答え 注 質問".split()
)
