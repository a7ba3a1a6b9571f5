"""Kill -9 at random moments of `lock`, `fetch` and `build`: the next run gives the same bytes."""
