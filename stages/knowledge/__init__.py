"""What medicine says, as data: labels, modality words, thresholds of words, priors. Small loaders, no logic."""
