"""The evaluation room: pairs are drawn and converted through the queue; judges score them in the checks room."""
