package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A spread is a list of one figure for each round, in the order of the rounds.
type spread []float64

// spreadOf extracts one figure from each result.
func spreadOf[T any](all []T, figure func(T) float64) (s spread) {
	for _, one := range all {
		s = append(s, figure(one))
	}
	return s
}

// paired combines each figure with the figure of the same round, so that a disturbance
// of a whole round affects both in the same way.
func (s spread) paired(other spread, f func(a, b float64) float64) spread {
	both := make(spread, min(len(s), len(other)))
	for i := range both {
		both[i] = f(s[i], other[i])
	}
	return both
}

func over(a, b float64) float64 { return a / b }

// at returns the quantile of the given part: 0.5 is the median. It is NaN if there are
// no figures.
func (s spread) at(part float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	return slices.Sorted(slices.Values(s))[int(part*float64(len(s)-1)+0.5)]
}

func (s spread) median() float64 { return s.at(0.5) }

// show formats the median, followed by the quartiles.
func (s spread) show(decimals int) string {
	if len(s) == 0 {
		return ""
	}
	return fmt.Sprintf("%s (%s to %s)", number(s.median(), decimals), number(s.at(0.25), decimals), number(s.at(0.75), decimals))
}

// number formats x as 12,345.6.
func number(x float64, decimals int) string {
	text := fmt.Sprintf("%.*f", decimals, math.Abs(x))
	whole, fraction, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if x < 0 && strings.Trim(whole, "0.,") != "" {
		whole = "-" + whole
	}
	return whole
}
