package scaling

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// out receives the report. `go test` shows it only if it is called without package
// arguments.
var out io.Writer = os.Stdout

// table is a Markdown table that is also readable in a terminal.
type table [][]string

func (t *table) row(cells ...string) { *t = append(*t, cells) }

func (t table) print() {
	widths := make([]int, len(t[0]))
	for _, cells := range t {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for n, cells := range t {
		for i, cell := range cells {
			fmt.Fprintf(out, "| %*s ", widths[i], cell)
		}
		fmt.Fprintln(out, "|")
		if n > 0 {
			continue
		}
		for _, width := range widths {
			fmt.Fprint(out, "|", strings.Repeat("-", width+1), ":")
		}
		fmt.Fprintln(out, "|")
	}
	fmt.Fprintln(out)
}

// say writes a paragraph.
func say(format string, args ...any) { fmt.Fprintf(out, format+"\n\n", args...) }

// number formats x as 12,345.6.
func number(x float64, decimals int) string {
	text := fmt.Sprintf("%.*f", decimals, x)
	whole, fraction, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return whole
}

// rounded formats a number with about three significant digits.
func rounded(x float64) string {
	switch {
	case x >= 100 || x == 0:
		return number(x, 0)
	case x >= 10:
		return number(x, 1)
	default:
		return number(x, 2)
	}
}

// about rounds a large number to three significant digits: 1,230,000.
func about(x float64) string {
	if x < 1000 {
		return rounded(x)
	}
	unit := math.Pow(10, math.Floor(math.Log10(x))-2)
	return number(math.Round(x/unit)*unit, 0)
}

// span formats a duration without trailing zero units: 1h, 2m.
func span(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
