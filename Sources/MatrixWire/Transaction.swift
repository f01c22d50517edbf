import PresenceModel

/// The body of `PUT /_matrix/federation/v1/send/{txnId}`, as far as presence is concerned: room events are counted,
/// not read.
///
/// Spec: server-server API, transactions.
public struct Transaction: Hashable, Sendable {
    /// Most room events in one transaction.
    public static let pduLimit = 50
    /// Most EDUs in one transaction.
    public static let eduLimit = 100

    /// Who sent it by its own account. The signature says who really did; nobody compares the two.
    public var origin: ServerName?
    /// When it was sent by the sender's clock, if it is told.
    public var sent: Instant?
    /// In order, malformed ones left out.
    public var edus: [EDU]
    /// The number of room events.
    public var pduCount: Int
    /// EDUs that were left out: no objects, without `edu_type` or `content`, or permissions without what they need;
    /// and permissions that were taken without an unusable note.
    public var malformedCount: Int
    /// On decoding: a permission EDU of presenced's own form was there, not only historical ones.
    public private(set) var carriesExtension = false

    /// What a transaction was found to hold.
    public init(
        origin: ServerName? = nil, sent: Instant? = nil, edus: [EDU] = [], pduCount: Int = 0, malformedCount: Int = 0
    ) {
        self.origin = origin
        self.sent = sent
        self.edus = edus
        self.pduCount = pduCount
        self.malformedCount = malformedCount
    }
}

/// One piece of a transaction that is not a room event.
public enum EDU: Hashable, Sendable {
    /// `m.presence`
    case presence(PresenceEDU)
    /// `org.presenced.presence_invite`, `…_accept` or `…_deny`, or the historical `m.presence_invite` and so on. Who may
    /// say it is for the engine to judge.
    case permission(PermissionMessage)
    /// Everything else; to be ignored.
    case unknown(type: String)
}

/// Why a transaction is refused as a whole.
public enum TransactionError: Error, Hashable, Sendable {
    /// Not JSON at all.
    case notJSON(JSONError)
    /// JSON, but not an object.
    case notAnObject
    /// `pdus` is there and not an array.
    case pdusNotAnArray
    /// `edus` is there and not an array.
    case edusNotAnArray
    /// Over ``Transaction/pduLimit``.
    case tooManyPDUs(Int)
    /// Over ``Transaction/eduLimit``.
    case tooManyEDUs(Int)

    /// What to answer.
    public var answer: MatrixErrorBody {
        switch self {
        case .notJSON: .contentNotJSON
        case .notAnObject: .contentNotAnObject
        case .pdusNotAnArray: MatrixErrorBody(.badJSON, "pdus must be a list.")
        case .edusNotAnArray: MatrixErrorBody(.badJSON, "edus must be a list.")
        case .tooManyPDUs: MatrixErrorBody(.badJSON, "Too many PDUs in one transaction, 50 are allowed.")
        case .tooManyEDUs: MatrixErrorBody(.badJSON, "Too many EDUs in one transaction, 100 are allowed.")
        }
    }
}

extension Transaction {
    /// Parses leniently (``JSONParser/lenient``): what a peer's room events hold must not cost us its presence.
    ///
    /// - Throws: ``TransactionError``.
    public init(decoding body: [UInt8]) throws(TransactionError) {
        let parsed: ParsedJSON
        do throws(JSONError) {
            parsed = try JSONParser.lenient.parse(body)
        } catch {
            throw .notJSON(error)
        }
        try self.init(decoding: parsed.value)
    }

    /// For a body that was parsed already, to check its signature.
    ///
    /// - Throws: ``TransactionError``.
    public init(decoding value: JSONValue) throws(TransactionError) {
        guard let body = value.object else { throw .notAnObject }
        var pduCount = 0
        if let value = body["pdus"] {
            guard let pdus = value.array else { throw .pdusNotAnArray }
            guard pdus.count <= Transaction.pduLimit else { throw .tooManyPDUs(pdus.count) }
            pduCount = pdus.count
        }
        var elements: [JSONValue] = []
        if let value = body["edus"] {
            guard let edus = value.array else { throw .edusNotAnArray }
            guard edus.count <= Transaction.eduLimit else { throw .tooManyEDUs(edus.count) }
            elements = edus
        }
        self.init(
            origin: body["origin"]?.string.flatMap { try? ServerName(parsing: $0) },
            sent: body["origin_server_ts"]?.integer.map { Instant.epoch.advanced(byMilliseconds: $0) },
            pduCount: pduCount)
        edus.reserveCapacity(elements.count)
        for element in elements { decodeEDU(element) }
    }

    private mutating func decodeEDU(_ value: JSONValue) {
        guard let type = value["edu_type"]?.string, let content = value["content"]?.object else {
            malformedCount += 1
            return
        }
        if type == "m.presence" {
            edus.append(.presence(PresenceEDU(decoding: content)))
        } else if let word = PermissionWord(type: type) {
            guard let decoded = PermissionMessage.decode(word, content) else {
                malformedCount += 1
                return
            }
            edus.append(.permission(decoded.message))
            if decoded.isFlawed { malformedCount += 1 }
            if !word.isHistorical { carriesExtension = true }
        } else {
            edus.append(.unknown(type: type))
        }
    }

    /// A transaction of permissions and presence, in this order, in canonical form:
    /// `{"edus":[…],"origin":…,"origin_server_ts":…,"pdus":[]}`.
    ///
    /// - Parameters:
    ///   - edus: with the permissions at most ``eduLimit``; the sender keeps to 50 pushes in each.
    ///   - permissions: one EDU each.
    ///   - busyValue: what the destination is told of busy users, beside `org.presenced.state`.
    public static func encode(
        _ edus: [PresenceEDU], permissions: [PermissionMessage] = [], origin: ServerName, sent: Instant,
        busyValue: BusyValue = .unavailable
    ) -> [UInt8] {
        let count = permissions.count + edus.count
        precondition(count <= eduLimit, "\(count) EDUs in one transaction")
        let pushes = edus.reduce(0) { $0 + $1.push.count }
        var writer = JSONWriter(capacity: 512 + 256 * count + 256 * pushes)
        writer.beginObject()
        writer.key("edus")
        writer.beginArray()
        for permission in permissions { permission.write(to: &writer) }
        for edu in edus { edu.write(to: &writer, busyValue: busyValue) }
        writer.endArray()
        writer.key("origin")
        writer.string(origin.text)
        writer.key("origin_server_ts")
        writer.integer(sent.millisecondsSinceEpoch)
        writer.key("pdus")
        writer.beginArray()
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }
}
