package oidc

// ExternalIDOf is the Login.ExternalID for a sid.
func (p *Provider) ExternalIDOf(sid string) string { return p.externalID(sid) }

// What the tests of the bounds need.
const (
	FreshFor  = freshFor
	UsableFor = usableFor
)
