"""N-grams, tf-idf and saved estimators of the classical models."""
