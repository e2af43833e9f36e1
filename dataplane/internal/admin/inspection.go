package admin

// Names of the metrics of inspections.
const (
	Inspections                = "sallyport_edge_inspections_total"
	InspectionSeconds          = "sallyport_edge_inspection_cpu_seconds_total"
	InspectionsAtWork          = "sallyport_edge_inspections_at_work"
	InspectionsWaiting         = "sallyport_edge_inspections_waiting"
	InspectionTurns            = "sallyport_edge_inspection_turns"
	InspectionsRefused         = "sallyport_edge_inspections_refused_total"
	InspectionWaits            = "sallyport_edge_inspection_wait_seconds"
	InspectionCallers          = "sallyport_edge_inspection_callers"
	InspectionCallersForgotten = "sallyport_edge_inspection_callers_forgotten_total"
)

// inspectionMetrics are those of the list that are of what inspections cost.
func inspectionMetrics() []Metric {
	return []Metric{
		{Name: Inspections, Help: "Pieces of inspections that were done, by whether they looked dear.", Labels: []string{"class"}},
		{Name: InspectionSeconds, Help: "Time of a processor that they took.", Labels: []string{"class"}},
		{Name: InspectionsAtWork, Help: "Pieces at work.", Labels: []string{"class"}, Gauge: true},
		{Name: InspectionsWaiting, Help: "Pieces that wait for their turn.", Labels: []string{"class"}, Gauge: true},
		{Name: InspectionTurns, Help: "Pieces that may be at work at once; of dear ones half of it.", Gauge: true},
		{Name: InspectionsRefused, Help: "Pieces that weren't done: the time that the address, the credential or the node may cost is used up, as many wait as may (queue_full), the turn didn't come in time (too_late), the client went (client_gone).", Labels: []string{"reason"}},
		{Name: InspectionWaits, Help: "Until pieces had their turn.", Histogram: true},
		{Name: InspectionCallers, Help: "Addresses and credentials whose inspections have cost something lately.", Gauge: true},
		{Name: InspectionCallersForgotten, Help: "Of those, forgotten early since the table was full."},
	}
}
