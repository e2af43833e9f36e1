package scenarios

import (
	"errors"
	"fmt"
)

// layout says who may use which processors.
type layout struct {
	// gateway is the measured one's, wide the two of one that is measured on two, and clients what clients, service and control plane have.
	gateway, wide, clients []int
}

// layOut gives a gateway the first processor, and the rest to clients, service and control plane: nobody else works on the gateway's. Where there are two in all,
// a gateway on two shares the second with the clients.
func layOut(available []int) (layout, error) {
	switch n := len(available); n {
	case 0, 1:
		return layout{}, fmt.Errorf("gateways are measured on a processor of their own: two are needed, there are %d", n)
	case 2:
		return layout{gateway: available[:1], wide: available, clients: available[1:]}, nil
	default:
		return layout{gateway: available[:1], wide: []int{available[0], available[n-1]}, clients: available[1 : n-1]}, nil
	}
}

// errTime is why a scenario was left out.
var errTime = errors.New("time was up")
