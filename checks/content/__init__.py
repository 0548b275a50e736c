"""Do the frames of a content model say what was said, at the right time, and not who said it?"""
