package guard

import (
	"math/rand/v2"
	"regexp/syntax"
	"strings"
	"unicode"
)

// matching returns a text that a regular expression is likely to match as a whole: what stands
// between ^ and $, and on either side of \b, is not looked at, so the caller tries it. What may be
// repeated at will is, up to extra times more. It reports false for what is no expression, and for
// one that nothing matches.
func matching(pattern string, random *rand.Rand, extra int) (string, bool) {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", false
	}
	w := writer{random: random, extra: extra}
	ok := w.write(tree)
	return w.text.String(), ok && w.text.Len() > 0
}

// writer writes a text along the tree of an expression.
type writer struct {
	random *rand.Rand
	extra  int
	text   strings.Builder
}

// writerLimit ends the repetitions of a text, in bytes: they may be in each other.
const writerLimit = 1 << 16

func (w *writer) write(tree *syntax.Regexp) bool {
	switch tree.Op {
	case syntax.OpNoMatch:
		return false
	case syntax.OpLiteral:
		for _, r := range tree.Rune {
			if tree.Flags&syntax.FoldCase != 0 {
				r = unicode.ToLower(r)
			}
			w.text.WriteRune(r)
		}
	case syntax.OpCharClass:
		return w.class(tree.Rune)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		w.text.WriteByte(usual[w.random.IntN(len(usual))])
	case syntax.OpCapture:
		return w.write(tree.Sub[0])
	case syntax.OpConcat:
		for _, sub := range tree.Sub {
			if !w.write(sub) {
				return false
			}
		}
	case syntax.OpAlternate:
		return w.write(tree.Sub[w.random.IntN(len(tree.Sub))])
	case syntax.OpStar:
		return w.repeat(tree.Sub[0], 0, -1)
	case syntax.OpPlus:
		return w.repeat(tree.Sub[0], 1, -1)
	case syntax.OpQuest:
		return w.repeat(tree.Sub[0], 0, 1)
	case syntax.OpRepeat:
		return w.repeat(tree.Sub[0], tree.Min, tree.Max)
	}
	return true // the empty ones
}

// repeat writes what may stand from least to most times, -1 for at will.
func (w *writer) repeat(tree *syntax.Regexp, least, most int) bool {
	const some = 8
	n := least
	switch {
	case most < 0:
		n += w.random.IntN(some) + w.extra
	case w.extra > most-least:
		n = most
	case most > least:
		n += w.random.IntN(most - least + 1)
	}
	for i := range n {
		if i >= least && w.text.Len() > writerLimit {
			break
		}
		if !w.write(tree) {
			return i >= least
		}
	}
	return true
}

const usual = "abcdefghijklmnopqrstuvwxyz0123456789"

// class writes a character of a class, which is pairs of first and last: one of the usual ones
// if there are such, or one of ASCII.
func (w *writer) class(pairs []rune) bool {
	var few, printable []rune
	for i := 0; i+1 < len(pairs); i += 2 {
		for r := pairs[i]; r <= min(pairs[i+1], unicode.MaxASCII); r++ {
			if strings.ContainsRune(usual, r) {
				few = append(few, r)
			} else if r > ' ' && r < unicode.MaxASCII {
				printable = append(printable, r)
			}
		}
	}
	if len(few) > 0 && len(printable) > 0 && len(printable) <= 26 && w.random.IntN(4) == 0 {
		few = printable // upper case, for the patterns that want both
	}
	if len(few) == 0 {
		few = printable
	}
	if len(few) == 0 && len(pairs) > 0 {
		few = pairs[:1]
	}
	if len(few) == 0 {
		return false
	}
	w.text.WriteRune(few[w.random.IntN(len(few))])
	return true
}
