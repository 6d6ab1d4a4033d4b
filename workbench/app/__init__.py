"""The Gradio app: pages over the library. Handlers are thin; what they show comes from `views`."""
