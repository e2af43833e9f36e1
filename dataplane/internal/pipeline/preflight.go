package pipeline

// What makes a CORS preflight: its method, and fields.
const (
	preflightMethod      = "OPTIONS"
	originField          = "Origin"
	announcedMethodField = "Access-Control-Request-Method"
)

// Preflight returns the method that a CORS preflight announces (Fetch standard, section 3.3.2); "" for any other request, and for what can be read in two
// ways: several origins or methods.
func (ex *Exchange) Preflight() string {
	if ex.Request.Method != preflightMethod {
		return ""
	}
	_, one := ex.Request.Header.Only(originField)
	method, announced := ex.Request.Header.Only(announcedMethodField)
	if !one || !announced {
		return ""
	}
	return method
}

// Only returns the value of name if there is exactly one such field.
func (h *Header) Only(name string) (value string, one bool) {
	for i := range h.fields {
		if !EqualFold(h.fields[i].Name, name) {
			continue
		}
		if one {
			return "", false
		}
		value, one = h.fields[i].Value, true
	}
	return value, one
}
