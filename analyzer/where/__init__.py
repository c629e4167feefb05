"""The filter language of `--where` and of the screens: text -> an expression over instances."""

from analyzer.where.compiler import compile_where, matches
from analyzer.where.fields import FIELDS
from analyzer.where.grammar import WhereError, parse
from analyzer.where.narrow import narrow

__all__ = ["FIELDS", "WhereError", "compile_where", "matches", "narrow", "parse"]
