"""Python reads this when it starts with this folder on its path: in processes that tests start."""

from hidden import hide

hide()
