/// The first rule that a text broke on its way to becoming an identifier.
public enum IdentifierError: Error, Hashable, Sendable {
    /// A user identifier begins with `@`, a room identifier with `!`.
    case missingSigil
    /// A user identifier has a `:` between localpart and server name.
    case missingServerName
    /// Over the limit of the identifier's kind, in UTF-8 bytes.
    case tooLong(limitBytes: Int)
    /// A control character, a space or a NUL.
    case forbiddenCharacter
    /// Not a DNS name, an IPv4 address or a bracketed IPv6 address, with or without a port.
    case malformedServerName
    /// Nothing between the sigil and the `:`, or no text at all.
    case empty
}
