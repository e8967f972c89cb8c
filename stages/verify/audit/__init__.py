"""Planted-fault audit: how much of what is wrong does the cascade stop, and how much of what is right does it keep?"""
