package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Report is what was measured.
type Report struct {
	// Machine says where and when, in a line.
	Machine string
	// Notes say what was left out, and why.
	Notes        []string
	Expectations []Expectation
	Scenarios    []Scenario
}

// Expectation is what was expected of something, and what was measured.
type Expectation struct{ What, Expected, Measured string }

// Scenario is the gateways in one situation.
type Scenario struct {
	Title, About string
	// Unit is what is counted: "request".
	Unit string
	// Base is whom the ratios compare with.
	Base  string
	Rows  []Row
	Notes []string
}

// Row is one gateway. What is zero wasn't measured.
type Row struct {
	Name string
	// Lacks says why it wasn't measured.
	Lacks string
	// Processor time of a unit in µs, and its ratio to the base's.
	Processor, Ratio float64
	// Rate is units a second in the closed loop, and Busy the share of the time in which its processor worked.
	Rate, Busy float64
	// OpenRate is units a second in the open loop, P50 and P99 its latencies, and TailRatio that of p99 to the base's.
	OpenRate  float64
	P50, P99  time.Duration
	TailRatio float64
	// Memory that was resident in the end, and Growth by what it grew, in bytes.
	Memory, Growth int64
	// Failed units, of all rounds.
	Failed int
}

// column is one of a table.
type column struct {
	title func(Scenario) string
	value func(Row) string
}

func titled(title string) func(Scenario) string { return func(Scenario) string { return title } }

func columns() []column {
	return []column{
		{func(s Scenario) string { return "CPU µs per " + s.Unit }, func(r Row) string { return number(r.Processor, 1) }},
		{func(s Scenario) string { return "to " + s.Base }, func(r Row) string { return ratio(r.Ratio) }},
		{func(s Scenario) string { return s.Unit + "s/s, closed loop" }, func(r Row) string { return number(r.Rate, 0) }},
		{titled("processor busy"), func(r Row) string { return percent(r.Busy) }},
		{func(s Scenario) string { return s.Unit + "s/s, open loop" }, func(r Row) string { return number(r.OpenRate, 0) }},
		{titled("p50"), func(r Row) string { return short(r.P50) }},
		{titled("p99"), func(r Row) string { return short(r.P99) }},
		{func(s Scenario) string { return "p99 to " + s.Base }, func(r Row) string { return ratio(r.TailRatio) }},
		{titled("memory"), func(r Row) string { return megabytes(r.Memory) }},
		{titled("growth"), func(r Row) string { return megabytes(r.Growth) }},
		{titled("failed"), func(r Row) string { return number(float64(r.Failed), 0) }},
	}
}

// Markdown is the page; chart is where the chart lies beside it.
func (r *Report) Markdown(chart string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Gateways side by side\n\n%s\n\n", r.Machine)
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "- %s\n", line(note))
	}
	if len(r.Notes) > 0 {
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "![Processor time](%s)\n\n## Expected and measured\n\n| what | expected | measured |\n|---|---|---|\n", chart)
	for _, e := range r.Expectations {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", cell(e.What), cell(e.Expected), cell(e.Measured))
	}
	for _, s := range r.Scenarios {
		s.markdown(&b)
	}
	return b.String()
}

func (s Scenario) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n", s.Title)
	if s.About != "" {
		fmt.Fprintf(b, "%s\n\n", s.About)
	}
	shown := s.shown()
	b.WriteString("| |")
	for _, c := range shown {
		fmt.Fprintf(b, " %s |", c.title(s))
	}
	b.WriteString("\n|---|" + strings.Repeat("--:|", len(shown)) + "\n")
	for _, row := range s.Rows {
		fmt.Fprintf(b, "| %s |", cell(row.Name))
		for _, c := range shown {
			value := c.value(row)
			if value == "" {
				value = "–"
			}
			fmt.Fprintf(b, " %s |", value)
		}
		b.WriteString("\n")
	}
	var said []string
	for _, row := range s.Rows {
		if row.Lacks != "" {
			said = append(said, fmt.Sprintf("%s: %s.", row.Name, row.Lacks))
		}
	}
	for i, note := range append(said, s.Notes...) {
		if i == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(b, "- %s\n", line(note))
	}
}

// shown are the columns in which any row has something.
func (s Scenario) shown() (shown []column) {
	for _, c := range columns() {
		for _, row := range s.Rows {
			if c.value(row) != "" {
				shown = append(shown, c)
				break
			}
		}
	}
	return shown
}

// line keeps a text on its line.
func line(text string) string { return strings.Join(strings.Fields(text), " ") }

// cell keeps a text inside its cell.
func cell(text string) string {
	return strings.ReplaceAll(line(text), "|", `\|`)
}

func number(value float64, digits int) string {
	if value == 0 {
		return ""
	}
	return strconv.FormatFloat(value, 'f', digits, 64)
}

func ratio(value float64) string {
	if value == 0 {
		return ""
	}
	return strconv.FormatFloat(value, 'f', 2, 64) + "×"
}

func percent(share float64) string {
	if share == 0 {
		return ""
	}
	return strconv.FormatFloat(100*share, 'f', 0, 64) + " %"
}

func megabytes(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(bytes)/1e6, 'f', 1, 64) + " MB"
}

// short rounds a time to what can be told from noise.
func short(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}

// Ratio writes a ratio as tables do; "not measured" of none.
func Ratio(value float64) string {
	if value == 0 {
		return "not measured"
	}
	return ratio(value)
}

// Megabytes writes a size as tables do; "not measured" of none.
func Megabytes(bytes int64) string {
	if bytes == 0 {
		return "not measured"
	}
	return megabytes(bytes)
}
