/// Which social service a bridge leads to. Of each there is one at most; links are the same for both, everything else
/// is kept apart.
public enum BridgeDestination: String, Hashable, Sendable, CaseIterable {
    /// Another one, found by its URL.
    case external
    /// presenced's own.
    case embedded
}
