import PresenceModel

/// The body of `PUT /_presenced/admin/v1/rooms/{roomId}/members`: `{"members":["@user:server",…]}`.
public enum RoomMembersBody {
    /// More members are refused.
    public static let membersLimit = 100_000

    /// Each user once, in the order of names.
    /// - Throws: what to answer: 400, or 413 for too many members.
    public static func decode(_ bytes: [UInt8]) throws(MatrixErrorBody) -> [UserID] {
        let body = try ClientBody(bytes, keys: ["members"])
        guard let members = try body.users("members", limit: membersLimit) else {
            throw MatrixErrorBody(.missingParameter, "members is missing.")
        }
        var unique: [UserID] = []
        unique.reserveCapacity(members.count)
        for member in members.sorted() where member != unique.last { unique.append(member) }
        return unique
    }
}
