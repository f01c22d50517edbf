/// What stands in `presence` for a busy user; Matrix has no word of its own for it.
public enum BusyValue: String, Hashable, Sendable, CaseIterable {
    /// What every server and client understands, and shows as idle.
    case unavailable
    /// MSC3026: what Synapse and Element understand where the experiment is switched on.
    case msc3026 = "org.matrix.msc3026.busy"
}
