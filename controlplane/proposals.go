package controlplane

import (
	"log/slog"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/api"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/proposals"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
)

// newProposals returns the proposals of a database, shown as the admin API shows everything.
func newProposals(db *postgres.DB, publisher *publish.Publisher, vault *secrets.Vault, log *slog.Logger) *proposals.Proposals {
	return proposals.New(proposals.Config{
		Store: db.Proposals(), Publisher: publisher, Sealer: vault, Face: api.Face{}, Logger: log, Now: time.Now,
	})
}
