/// By what a local user can be seen at another server, which decides whether a server that cannot subscribe is told.
///
/// Design: section 4, rule 7.
public enum Reach: String, Hashable, Sendable, CaseIterable {
    /// By leave given to someone there, or by a shared room that is not too large.
    case near
    /// Only by rooms with so many members that they do not count for servers that cannot subscribe.
    case wide
}
