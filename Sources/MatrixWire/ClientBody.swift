import PresenceModel

/// A JSON object that a client sent, and the words in which its flaws are refused.
///
/// A key that is not known and a value of the wrong kind are `M_BAD_JSON`, a value out of range `M_INVALID_PARAM`,
/// something left out `M_MISSING_PARAM`, a text over its limit 413 `M_TOO_LARGE`. `null` is a value of the wrong kind.
/// Refusals never repeat what was sent.
struct ClientBody {
    private let object: JSONObject

    /// - Parameters:
    ///   - keys: every key that may be there.
    ///   - mayBeAbsent: no bytes at all are as good as `{}`.
    /// - Throws: 400 if it is no object, or has a key that is not among `keys`.
    init(_ bytes: [UInt8], keys: [String], mayBeAbsent: Bool = false) throws(MatrixErrorBody) {
        if bytes.isEmpty, mayBeAbsent {
            object = JSONObject()
            return
        }
        let parsed: ParsedJSON
        do throws(JSONError) {
            parsed = try JSONParser.lenient.parse(bytes)
        } catch {
            throw .contentNotJSON
        }
        guard let object = parsed.value.object else { throw .contentNotAnObject }
        guard object.members.allSatisfy({ keys.contains($0.key) }) else {
            throw MatrixErrorBody(.badJSON, "The body has a key that is not known; known are \(list(keys)).")
        }
        self.object = object
    }

    func value(_ key: String) -> JSONValue? { object[key] }

    func has(_ key: String) -> Bool { object[key] != nil }

    func string(_ key: String) throws(MatrixErrorBody) -> String? {
        guard let value = object[key] else { return nil }
        guard let text = value.string else { throw MatrixErrorBody(.badJSON, "\(key) must be a string.") }
        return text
    }

    /// Empty texts are none.
    func text(_ key: String, limitBytes: Int) throws(MatrixErrorBody) -> String? {
        guard let text = try string(key) else { return nil }
        guard text.utf8.count <= limitBytes else {
            throw MatrixErrorBody(.tooLarge, "\(key) must not be longer than \(limitBytes) bytes.")
        }
        return text.isEmpty ? nil : text
    }

    func integer(_ key: String, in range: ClosedRange<Int64>) throws(MatrixErrorBody) -> Int64? {
        guard let value = object[key] else { return nil }
        guard let integer = value.integer else {
            throw MatrixErrorBody(.badJSON, "\(key) must be a whole number of at most \(JSONValue.integerLimit).")
        }
        guard range.contains(integer) else {
            throw MatrixErrorBody(
                .invalidParameter, "\(key) must be within \(range.lowerBound) and \(range.upperBound).")
        }
        return integer
    }

    /// A switch that can only be on: absent, or `true`.
    func flag(_ key: String) throws(MatrixErrorBody) -> Bool {
        guard let value = object[key] else { return false }
        guard let bool = value.bool else { throw MatrixErrorBody(.badJSON, "\(key) must be true.") }
        guard bool else { throw MatrixErrorBody(.invalidParameter, "\(key) must be true, or be left out.") }
        return true
    }

    /// One of the words of `Word`.
    func word<Word: RawRepresentable & CaseIterable>(
        _ key: String, as _: Word.Type
    ) throws(MatrixErrorBody) -> Word? where Word.RawValue == String {
        guard let text = try string(key) else { return nil }
        guard let word = Word(rawValue: text) else {
            throw MatrixErrorBody(.invalidParameter, "\(key) must be one of \(list(Word.allCases.map(\.rawValue))).")
        }
        return word
    }

    func user(_ key: String) throws(MatrixErrorBody) -> UserID? {
        guard let text = try string(key) else { return nil }
        do throws(IdentifierError) {
            return try UserID(parsing: text)
        } catch {
            throw .notAUser(error)
        }
    }

    func users(_ key: String, limit: Int) throws(MatrixErrorBody) -> [UserID]? {
        try elements(key, limit: limit, what: "a user identifier") { text in try? UserID(parsing: text) }
    }

    func groups(_ key: String, limit: Int) throws(MatrixErrorBody) -> [GroupName]? {
        try elements(key, limit: limit, what: "a name of 1 to \(GroupName.limitBytes) bytes") { text in
            try? GroupName(parsing: text)
        }
    }

    private func elements<Element>(
        _ key: String, limit: Int, what: String, _ parse: (String) -> Element?
    ) throws(MatrixErrorBody) -> [Element]? {
        guard let value = object[key] else { return nil }
        guard let values = value.array else { throw MatrixErrorBody(.badJSON, "\(key) must be a list of strings.") }
        guard values.count <= limit else {
            throw MatrixErrorBody(.tooLarge, "\(key) must not have more than \(limit) elements.")
        }
        var elements: [Element] = []
        elements.reserveCapacity(values.count)
        for (index, value) in values.enumerated() {
            guard let text = value.string else {
                throw MatrixErrorBody(.badJSON, "\(key) must be a list of strings.")
            }
            guard let element = parse(text) else {
                throw MatrixErrorBody(.invalidParameter, "\(key)[\(index)] is not \(what).")
            }
            elements.append(element)
        }
        return elements
    }
}

private func list(_ words: [String]) -> String { words.joined(separator: ", ") }

extension MatrixErrorBody {
    /// The body of a request is not JSON.
    public static let contentNotJSON = MatrixErrorBody(.notJSON, "Content not JSON.")

    /// The body of a request is JSON, but not an object.
    public static let contentNotAnObject = MatrixErrorBody(.badJSON, "Content must be a JSON object.")

    /// A text that should have been a user identifier, in Synapse's words where it has any.
    public static func notAUser(_ error: IdentifierError) -> MatrixErrorBody {
        switch error {
        case .missingSigil: MatrixErrorBody(.invalidParameter, "Expected UserID string to start with '@'")
        case .missingServerName:
            MatrixErrorBody(.invalidParameter, "Expected UserID of the form '@localname:domain'")
        default: MatrixErrorBody(.invalidParameter, "Not a user identifier.")
        }
    }
}
