// Calls of the server's API. All paths are relative, so that the page works below any path.

/** An error that the server has told. */
class ApiError extends Error {}

let key = null; // of the server, if it needs one
try { key = sessionStorage.getItem("key"); } catch { /* storage is off */ }

/** Sends a key from now on, until the tab is closed. */
export function useKey(given) {
  key = given;
  try { sessionStorage.setItem("key", key); } catch { /* storage is off: until the page is left */ }
}

/** Returns the heads of a request: the key, if the server needs one, and those that are given. */
function heads(others = {}) {
  return key ? { ...others, Authorization: `Bearer ${key}` } : others;
}

async function failure(response) {
  if (response.status === 401) window.dispatchEvent(new Event("key-needed"));
  let message = `The server answered ${response.status}.`;
  try {
    const { error } = await response.json();
    message = error?.message ?? error ?? message;
  } catch { /* no JSON: the status says enough */ }
  return new ApiError(message);
}

/** Returns the answer of a path. */
export async function request(path, options = {}) {
  const response = await fetch(path, { ...options, headers: heads(options.headers) });
  if (!response.ok) throw await failure(response);
  return response;
}

/** Returns the JSON that a path answers; posts `body` if there is one. */
export async function json(path, body, signal) {
  const headers = { "Content-Type": "application/json" };
  const posted = body === undefined ? {} : { method: "POST", headers, body: JSON.stringify(body) };
  return (await request(path, { signal, ...posted })).json();
}

/** Posts a body and yields the events of the answer: {event, data}, of which `answer` is the last. */
export async function* events(path, options) {
  const response = await request(path, { method: "POST", ...options });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let last = null;
  for (;;) {
    const { value, done } = await reader.read();
    if (done && last !== "answer") throw new TypeError("the stream was cut"); // by a proxy that ends it in order
    if (done) return;
    text += value;
    let end;
    while ((end = text.indexOf("\n\n")) >= 0) {
      const lines = text.slice(0, end).split("\n");
      text = text.slice(end + 2);
      const event = last = lines.find((line) => line.startsWith("event: "))?.slice(7);
      const data = JSON.parse(lines.find((line) => line.startsWith("data: ")).slice(6));
      if (event === "error") throw new ApiError(data.error?.message ?? data.error);
      yield { event, data };
    }
  }
}

/** Returns what to tell people of an error; null if they stopped it themselves. */
export function told(error) {
  if (error.name === "AbortError") return null;
  if (error instanceof ApiError) return error.message;
  window.dispatchEvent(new Event("server-lost"));
  return "The server does not answer.";
}
