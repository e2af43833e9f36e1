package policy

var levelNames = [...]string{Environment: "environment", Service: "service", Route: "route", Route + 1: "consumer"}

// String returns the level's name as the API shows it; "" for what is no level.
func (l Level) String() string {
	if int(l) >= len(levelNames) {
		return ""
	}
	return levelNames[l]
}
