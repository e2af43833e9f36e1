package api

import "slices"

// Routes returns "METHOD /path/{parameter}" of everything that is served, sorted.
func (s *Server) Routes() []string {
	var routes []string
	for _, r := range s.echo.Routes() {
		routes = append(routes, r.Method+" "+asDocumented(r.Path))
	}
	slices.Sort(routes)
	return routes
}

// asDocumented turns echo's ":key" into "{key}".
func asDocumented(path string) string {
	var out []byte
	for i := 0; i < len(path); i++ {
		if path[i] != ':' {
			out = append(out, path[i])
			continue
		}
		out = append(out, '{')
		for i++; i < len(path) && path[i] != '/'; i++ {
			out = append(out, path[i])
		}
		out = append(out, '}')
		i--
	}
	return string(out)
}

// Exhaust uses up what a caller may ask at once.
func (s *Server) Exhaust(caller string) {
	for s.pace.Wait(caller) == 0 {
	}
}
