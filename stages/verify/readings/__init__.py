"""What each pattern of the grammar says: plain functions from the matched words to claims.

``m`` are the matched words, ``out`` collects what has been read.
"""
