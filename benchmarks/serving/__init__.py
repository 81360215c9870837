"""Speed and memory of the model server, beside an echo and other Python servers."""
