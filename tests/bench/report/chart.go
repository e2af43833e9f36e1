package report

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
)

// Measures of the chart, in its own units.
const (
	chartWidth = 760
	labelWidth = 190
	valueWidth = 70
	barHeight  = 16
	barGap     = 4
	groupGap   = 22
	titleSpace = 20
	topSpace   = 44
	// longestBar is how many times the shortest one of its scenario a bar is drawn at most; a longer one is cut, and its figure says so.
	longestBar = 6.0
)

// palette has colours that can be told apart on white and on black, also by the colour-blind; ours is the first.
func palette() []string {
	return []string{"#1f6feb", "#2da44e", "#bf8700", "#8250df", "#cf222e", "#57606a"}
}

// Chart is processor time per unit as bars in SVG, a group for each scenario. Each scenario has a scale of its own.
func (r *Report) Chart() string {
	colours := r.colours()
	var b strings.Builder
	y := topSpace
	for _, s := range r.Scenarios {
		if rows := s.barred(); len(rows) > 0 {
			y = s.bars(&b, rows, colours, y)
		}
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="12">
<rect width="100%%" height="100%%" fill="#ffffff"/>
<text x="12" y="26" font-size="16" font-weight="600" fill="#1f2328">Processor time (µs, less is better), on one core</text>
%s</svg>
`, chartWidth, y, b.String())
}

// colours gives each name one, in order of appearance.
func (r *Report) colours() map[string]string {
	colours := map[string]string{}
	for _, s := range r.Scenarios {
		for _, row := range s.barred() {
			if _, ok := colours[row.Name]; !ok {
				colours[row.Name] = palette()[len(colours)%len(palette())]
			}
		}
	}
	return colours
}

// barred are the rows that have a bar.
func (s Scenario) barred() []Row {
	return slices.DeleteFunc(slices.Clone(s.Rows), func(row Row) bool { return row.Processor == 0 })
}

// bars draws a group from y on, and returns where the next one begins.
func (s Scenario) bars(b *strings.Builder, rows []Row, colours map[string]string, y int) int {
	least := slices.MinFunc(rows, func(one, other Row) int { return cmp.Compare(one.Processor, other.Processor) }).Processor
	most := slices.MaxFunc(rows, func(one, other Row) int { return cmp.Compare(one.Processor, other.Processor) }).Processor
	full := min(most, least*longestBar)
	fmt.Fprintf(b, `<text x="12" y="%d" font-weight="600" fill="#1f2328">%s, µs per %s</text>`+"\n", y+titleSpace-6, escaped(s.Title), escaped(s.Unit))
	y += titleSpace
	const room = chartWidth - labelWidth - valueWidth - 24
	for _, row := range rows {
		length := int(room * min(row.Processor/full, 1))
		figure := number(row.Processor, 1)
		if row.Processor > full {
			figure = "» " + figure
		}
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end" fill="#1f2328">%s</text>`, labelWidth, y+barHeight-4, escaped(row.Name))
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" rx="2" fill="%s"/>`, labelWidth+8, y, length, barHeight, colours[row.Name])
		fmt.Fprintf(b, `<text x="%d" y="%d" fill="#1f2328">%s</text>`+"\n", labelWidth+14+length, y+barHeight-4, figure)
		y += barHeight + barGap
	}
	return y + groupGap - barGap
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}
