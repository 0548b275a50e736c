"""Do the embeddings of a speaker model tell speakers apart?"""
