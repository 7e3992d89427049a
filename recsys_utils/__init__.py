"""Helpers of the Two Towers course: data, splits, metrics, user vectors, tables, nearest neighbours."""
