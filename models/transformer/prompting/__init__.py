"""The question that an LLM is asked with a comment: its words, answers and examples."""
