"""What a model is, how it reads text and how it is searched. `import model` loads no framework."""
