// Swagger UI over this server's own description of its API.
/* global SwaggerUIBundle */
SwaggerUIBundle({ url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true });
