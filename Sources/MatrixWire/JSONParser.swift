/// Turns bytes into a ``JSONValue``, strictly after RFC 8259: no comments, no trailing bytes, no byte order mark.
///
/// UTF-8 is validated (overlong forms, surrogates and code points over U+10FFFF are refused), lone surrogates in
/// `\u` escapes are refused, control characters must be escaped. The cost is linear in the input, up to the sorting
/// of objects with unsorted keys. Memory is at most some 50 times the input, so the caller bounds the input.
///
/// Spec: appendices, canonical JSON.
public struct JSONParser: Sendable {
    /// What becomes of a key that occurs twice in one object.
    public enum DuplicateKeys: Sendable {
        /// ``JSONError/Reason/duplicateKey``.
        case refused
        /// The last one stays, as in Synapse; the input is not canonical then.
        case lastWins
    }

    /// Which numbers are taken.
    public enum Numbers: Sendable {
        /// Whole numbers within ±(2^53-1), no `-0`; others are ``JSONError/Reason/numberNotCanonical``.
        case canonicalOnly
        /// Every JSON number; the others become ``JSONValue/fraction(_:)``.
        case any
    }

    /// What becomes of a key that occurs twice.
    public var duplicateKeys: DuplicateKeys
    /// Which numbers are taken.
    public var numbers: Numbers
    /// How deep arrays and objects may nest; deeper is ``JSONError/Reason/tooDeep``.
    public var maxDepth: Int

    /// - Parameter maxDepth: 1...512; the parser's own recursion is as deep.
    public init(duplicateKeys: DuplicateKeys, numbers: Numbers, maxDepth: Int = 64) {
        precondition((1...512).contains(maxDepth), "maxDepth out of range: \(maxDepth)")
        self.duplicateKeys = duplicateKeys
        self.numbers = numbers
        self.maxDepth = maxDepth
    }

    /// For what must be canonical in content: duplicate keys and other numbers are refused.
    public static let strict = JSONParser(duplicateKeys: .refused, numbers: .canonicalOnly)

    /// For what others send: the last of duplicate keys wins, every number is taken.
    public static let lenient = JSONParser(duplicateKeys: .lastWins, numbers: .any)

    /// - Throws: ``JSONError``, with the offset of the first flaw.
    public func parse(_ bytes: [UInt8]) throws(JSONError) -> ParsedJSON {
        try bytes.withUnsafeBufferPointer { buffer throws(JSONError) in try parse(buffer) }
    }

    /// - Throws: ``JSONError``, with the offset of the first flaw.
    public func parse(_ bytes: UnsafeBufferPointer<UInt8>) throws(JSONError) -> ParsedJSON {
        var scanner = JSONScanner(bytes, rules: self)
        let value = try scanner.document()
        return ParsedJSON(value: value, isCanonical: scanner.isCanonical)
    }
}

/// What a parser made of some bytes.
public struct ParsedJSON: Sendable {
    /// The document.
    public let value: JSONValue
    /// The bytes were canonical JSON to the letter: keys sorted, no blanks, minimal escapes, canonical numbers.
    public let isCanonical: Bool

    /// The canonical form of the document, which is `input` itself if that was canonical.
    ///
    /// - Parameter input: the bytes that were parsed.
    public func canonicalBytes(from input: [UInt8]) -> [UInt8] {
        isCanonical ? input : CanonicalJSON.encode(value)
    }
}

/// The first flaw of bytes that are not the JSON that was asked for.
public struct JSONError: Error, Hashable, Sendable {
    /// The kind of flaw.
    public enum Reason: Hashable, Sendable {
        /// A byte that may not stand there.
        case malformed
        /// The input ends within a value.
        case unexpectedEnd
        /// Something but blanks after the value.
        case trailingBytes
        /// Deeper than ``JSONParser/maxDepth``.
        case tooDeep
        /// A key occurs twice in one object. The offset is that of the object.
        case duplicateKey
        /// A fraction, an exponent, `-0`, or a magnitude of 2^53 or more.
        case numberNotCanonical
        /// Not UTF-8.
        case badUTF8
        /// An unknown escape, or half a surrogate pair.
        case badEscape
        /// A control character that is not escaped.
        case controlCharacter
    }

    /// The kind of flaw.
    public let reason: Reason
    /// Where, in bytes from the beginning of the input.
    public let offset: Int

    /// A flaw of some kind at some place.
    public init(reason: Reason, offset: Int) {
        self.reason = reason
        self.offset = offset
    }
}
