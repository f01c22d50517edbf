import PresenceModel

/// The body of `POST /_matrix/client/r0/presence/list/{userId}`, as it was until 2019:
/// `{"invite"?:["@user:server",…],"drop"?:["@user:server",…]}`. Other keys are not looked at, empty elements skipped.
///
/// Refusals are in the words of the time. Facts: section 7.3.
public struct LegacyPresenceListBody: Hashable, Sendable {
    /// More users in one body are refused.
    public static let usersLimit = 1000

    /// To be asked, in order; before ``drop``.
    public var invite: [UserID]
    /// To be taken off the list, in order.
    public var drop: [UserID]
    /// What to answer when the others are done, if an element was no user identifier.
    public var flaw: MatrixErrorBody?

    /// Users as given.
    public init(invite: [UserID] = [], drop: [UserID] = [], flaw: MatrixErrorBody? = nil) {
        self.invite = invite
        self.drop = drop
        self.flaw = flaw
    }

    /// - Throws: what to answer, with nothing done: 400, or 413 for too many users.
    public static func decode(_ bytes: [UInt8]) throws(MatrixErrorBody) -> LegacyPresenceListBody {
        guard let parsed = try? JSONParser.lenient.parse(bytes), let content = parsed.value.object else {
            throw MatrixErrorBody(.unknown, "Unable to parse content")
        }
        let invite = try texts(content["invite"], orElse: "Bad invite value.")
        let drop = try texts(content["drop"], orElse: "Bad drop value.")
        guard invite.count + drop.count <= usersLimit else {
            throw MatrixErrorBody(.tooLarge, "At most \(usersLimit) users can be invited and dropped at once.")
        }
        var body = LegacyPresenceListBody()
        body.invite = users(invite, flaw: &body.flaw)
        body.drop = users(drop, flaw: &body.flaw)
        return body
    }

    private static func texts(_ value: JSONValue?, orElse words: String) throws(MatrixErrorBody) -> [String] {
        guard let value else { return [] }
        guard let values = value.array else { throw MatrixErrorBody(.unknown, words) }
        let texts = values.compactMap(\.string)
        guard texts.count == values.count else { throw MatrixErrorBody(.unknown, words) }
        return texts.filter { !$0.isEmpty }
    }

    private static func users(_ texts: [String], flaw: inout MatrixErrorBody?) -> [UserID] {
        var users: [UserID] = []
        for text in texts {
            do throws(IdentifierError) {
                users.append(try UserID(parsing: text))
            } catch {
                if flaw == nil { flaw = .notAUser(error) }
            }
        }
        return users
    }
}
