"""The calls of a batch, taken together: shares, weeks, most escalated calls, rules, groups of calls."""
