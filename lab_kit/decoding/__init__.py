"""From a network's probabilities to text, with knowledge of the language."""
