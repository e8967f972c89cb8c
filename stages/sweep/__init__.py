"""Sweeps: experiments over a grid of parameters, side by side, and their table. Outside the DAG, like exports."""
