"""Bodies of requests and answers, one file for each protocol. They know no route."""
