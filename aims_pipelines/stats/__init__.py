"""Numbers from profiles: numpy and scipy only; profiles in, numbers out. Rows never reach this package."""
