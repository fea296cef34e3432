package toolpolicy

// layer is one reason for which a call can be refused. All of them must pass;
// the order only decides which one is named.
type layer uint8

const (
	layerName layer = iota
	layerCaller
	layerProfile
	layerPolicy
	layerGlobal
	layerProvider
	layerAgent
	layerGroup
	layerSender
	layerSandbox
	layerReadOnly
	layerSubagent
	layerInherited
	layerSurface
	layerOwner
	layerGateway
	layerHost
	layerElevated
	layerExec
	layerRules
	layerHere
	layerCount
)

// String is the layer's name in a trace.
func (l layer) String() string {
	return [...]string{
		"name", "caller", "profile", "policy", "global", "provider", "agent", "group", "sender",
		"sandbox", "read-only", "subagent", "inherited", "surface", "owner-only", "surface-deny",
		"host", "elevated", "exec", "rules", "registry",
	}[l]
}

// because says which rule decided, for a trace.
type because struct {
	rule, key, reason string
	line              int
	flip              string // the smallest change that would let the call through
}
