import PresenceModel

/// The `Authorization` header of a request between servers:
/// `X-Matrix origin="a",destination="b",key="ed25519:k1",sig="…"`.
///
/// Spec: server-server API, request authentication.
public struct XMatrixHeader: Hashable, Sendable {
    /// A longer header value is refused, in bytes.
    public static let limitBytes = 4096

    /// Who says to have sent the request.
    public var origin: ServerName
    /// Who the request is meant for; `nil` from servers older than version 1.3 of the specification.
    public var destination: ServerName?
    /// Which key of ``origin`` signed.
    public var keyID: SigningKeyID
    /// The signature as it stands in the header; a good one is base64 of 64 bytes.
    public var signatureText: String

    /// For a request of our own.
    public init(origin: ServerName, destination: ServerName, keyID: SigningKeyID, signature: [UInt8]) {
        self.origin = origin
        self.destination = destination
        self.keyID = keyID
        self.signatureText = Base64.encode(signature)
    }

    /// `nil` if ``signatureText`` is not base64.
    public var signature: [UInt8]? { Base64.decode(signatureText) }

    /// The value of the header, all values quoted, nothing escaped, no blanks but the first.
    public var text: String {
        let destination = destination.map { ",destination=\"\($0.text)\"" } ?? ""
        return "X-Matrix origin=\"\(origin.text)\"\(destination),key=\"\(keyID.text)\",sig=\"\(signatureText)\""
    }
}

/// Why an `Authorization` header cannot be used.
public enum XMatrixHeaderError: Error, Hashable, Sendable {
    /// Another scheme. The scheme's name is compared exactly, as Synapse does.
    case notXMatrix
    /// The scheme is right, the rest is not.
    case malformed(Flaw)

    /// The first flaw found.
    public enum Flaw: Hashable, Sendable {
        /// Over ``XMatrixHeader/limitBytes``.
        case tooLong
        /// A name without `=`, an unfinished quote, or text between a value and the next comma.
        case syntax
        /// The same parameter twice.
        case repeated(String)
        /// `origin`, `key` or `sig` is not there or empty.
        case missing(String)
        /// `origin` or `destination` is not a server name, or `key` not a key identifier.
        case badValue(String)
    }

    /// What to answer, in Synapse's words.
    public var answer: MatrixErrorBody {
        switch self {
        case .notXMatrix: MatrixErrorBody(.unauthorized, "Missing Authorization headers")
        case .malformed: MatrixErrorBody(.unauthorized, "Malformed Authorization header", status: 400)
        }
    }
}

extension XMatrixHeader {
    /// Parses the value of an `Authorization` header.
    ///
    /// Names in any case and any order, values quoted (with backslash escapes) or bare up to the next comma, blanks
    /// around commas and `=`, unknown parameters, `signature` for `sig`, and no `destination` are all fine.
    /// - Throws: ``XMatrixHeaderError``.
    public init(parsing value: some StringProtocol) throws(XMatrixHeaderError) {
        var cursor = HeaderCursor(bytes: Array(value.utf8.prefix(XMatrixHeader.limitBytes + 1)))
        guard cursor.skip(scheme: "X-Matrix") else { throw .notXMatrix }
        guard cursor.bytes.count <= XMatrixHeader.limitBytes else { throw .malformed(.tooLong) }
        let known = ["origin", "destination", "key", "sig", "signature"]
        var values: [String: String] = [:]
        while let (name, value) = try cursor.nextParameter() {
            guard known.contains(name) else { continue }
            guard values.updateValue(value, forKey: name) == nil else { throw .malformed(.repeated(name)) }
        }
        origin = try XMatrixHeader.server("origin", try XMatrixHeader.required("origin", values["origin"]))
        if let text = values["destination"] {
            destination = try XMatrixHeader.server("destination", text)
        } else {
            destination = nil
        }
        let keyText = try XMatrixHeader.required("key", values["key"])
        do throws(IdentifierError) {
            keyID = try SigningKeyID(parsing: keyText)
        } catch {
            throw .malformed(.badValue("key"))
        }
        signatureText = try XMatrixHeader.required("sig", values["sig"] ?? values["signature"])
    }

    private static func required(_ name: String, _ value: String?) throws(XMatrixHeaderError) -> String {
        guard let value, !value.isEmpty else { throw .malformed(.missing(name)) }
        return value
    }

    private static func server(_ name: String, _ text: String) throws(XMatrixHeaderError) -> ServerName {
        do throws(IdentifierError) {
            return try ServerName(parsing: text)
        } catch {
            throw .malformed(.badValue(name))
        }
    }
}

/// Walks over the bytes of a header value.
private struct HeaderCursor {
    let bytes: [UInt8]
    private var offset = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    private var current: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    /// Passes over the scheme if it stands here as a whole word.
    mutating func skip(scheme: StaticString) -> Bool {
        skipBlanks()
        let length = scheme.utf8CodeUnitCount
        let wanted = UnsafeBufferPointer(start: scheme.utf8Start, count: length)
        guard bytes[offset...].starts(with: wanted) else { return false }
        offset += length
        return current == nil || current?.isHeaderBlank == true
    }

    /// The next name, in lower case, and its value; `nil` at the end.
    mutating func nextParameter() throws(XMatrixHeaderError) -> (name: String, value: String)? {
        while let current, current.isHeaderBlank || current == UInt8(ascii: ",") { offset += 1 }
        guard current != nil else { return nil }
        let start = offset
        while let current, current != UInt8(ascii: "="), current != UInt8(ascii: ",") { offset += 1 }
        guard current == UInt8(ascii: "=") else { throw .malformed(.syntax) }
        let name = String(
            decoding: bytes[start..<offset].trimmingBlanks().map(\.lowercasedASCII), as: UTF8.self)
        offset += 1
        skipBlanks()
        guard current == UInt8(ascii: "\"") else { return (name, bareValue()) }
        return (name, try quotedValue())
    }

    private mutating func bareValue() -> String {
        let start = offset
        while let current, current != UInt8(ascii: ",") { offset += 1 }
        return String(decoding: bytes[start..<offset].trimmingBlanks(), as: UTF8.self)
    }

    private mutating func quotedValue() throws(XMatrixHeaderError) -> String {
        offset += 1
        var value: [UInt8] = []
        while let byte = current, byte != UInt8(ascii: "\"") {
            if byte == UInt8(ascii: "\\") { offset += 1 }
            guard let literal = current else { throw .malformed(.syntax) }
            value.append(literal)
            offset += 1
        }
        guard current == UInt8(ascii: "\"") else { throw .malformed(.syntax) }
        offset += 1
        skipBlanks()
        guard current == nil || current == UInt8(ascii: ",") else { throw .malformed(.syntax) }
        return String(decoding: value, as: UTF8.self)
    }

    private mutating func skipBlanks() {
        while let current, current.isHeaderBlank { offset += 1 }
    }
}

extension UInt8 {
    fileprivate var isHeaderBlank: Bool { self == 0x20 || self == 0x09 }

    fileprivate var lowercasedASCII: UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self
    }
}

extension ArraySlice<UInt8> {
    fileprivate func trimmingBlanks() -> ArraySlice<UInt8> {
        var trimmed = self
        while trimmed.first?.isHeaderBlank == true { trimmed.removeFirst() }
        while trimmed.last?.isHeaderBlank == true { trimmed.removeLast() }
        return trimmed
    }
}
