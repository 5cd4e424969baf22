"""The way in over HTTP: `POST /fhir` looks at a message, publishes it, and answers what came of it."""
