import BridgeEngine
import MatrixHTTP
import MatrixWire
import PresenceModel
import SocialBridge

// The operator's part in the bridge.
extension BridgeGateway {
    /// Links in one answer, unless fewer are asked for.
    static let linksLimit = 1000

    /// `GET /_presenced/admin/v1/bridge` → 200 `{"now_ts","services":[…]}`: how the bridge to each service stands.
    func getBridge(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let services = await desk.reports().map(\.json)
        return .json(
            CanonicalJSON.encode([
                "now_ts": .integer(clock.now.millisecondsSinceEpoch), "services": .array(services),
            ]))
    }

    /// `GET /_presenced/admin/v1/bridge/links?limit=100&from=user` → 200 `{"links":[{"user","address","sources","live"}…],
    /// "next"?,"total"}`: in the order of users, from `from` on; `next`, the `from` of the next page, is missing on the
    /// last. Links by rule are in it where the user takes part.
    func getBridgeLinks(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        var limit = 100
        if let text = try request.queryValue("limit") {
            guard let count = Int(text), (1...BridgeGateway.linksLimit).contains(count) else {
                throw MatrixErrorBody(
                    .invalidParameter, "limit is a whole number from 1 to \(BridgeGateway.linksLimit).")
            }
            limit = count
        }
        var first: UserID?
        if let text = try request.queryValue("from") {
            guard let user = try? UserID(parsing: text) else {
                throw MatrixErrorBody(.invalidParameter, "from is not a user identifier.")
            }
            first = user
        }
        return .json(CanonicalJSON.encode(await desk.links(from: first, limit: limit).json))
    }

    /// `PUT /_presenced/admin/v1/bridge/links/{userId}`: `{"address"}` → 200 `{}`, on disk by then, in the place of a link
    /// that the operator made before; 403 where there is no external service, 409 where the user or the address is linked by what counts for as much or more.
    func putBridgeLink(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let user = try user(in: request)
        let text = try BridgeAddressBody.decode(try await request.bodyBytes(limit: configuration.bodyLimitBytes))
        let link = Link(user: user, address: try address(text))
        try await ordering { () throws(BridgeRefusal) in try await desk.link(link, by: .operator) }
        return .emptyObject
    }

    /// `DELETE /_presenced/admin/v1/bridge/links/{userId}` → 200 `{}`, also if there was none: what the operator or the user
    /// said is taken back, and what the user handed over. A file's line, and the rule, hold on.
    func deleteBridgeLink(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let user = try user(in: request)
        try await ordering { () throws(BridgeRefusal) in try await endLinks(of: user, by: [.operator, .proof]) }
        return .emptyObject
    }

    /// `GET /_presenced/admin/v1/bridge/users/{userId}` → 200, as the user themself reads it.
    func getBridgeUser(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        .json(CanonicalJSON.encode(await desk.account(of: try user(in: request)).json))
    }

    /// `PUT /_presenced/admin/v1/bridge/users/{userId}`: `{"participates"?:bool|null,"privacy"?}` → 200 `{}`, on disk by
    /// then.
    func putBridgeUser(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let user = try user(in: request)
        let choice = try await choice(in: request)
        try await ordering { () throws(BridgeRefusal) in try await desk.choose(choice, of: user) }
        return .emptyObject
    }

    private func ordering(_ act: () async throws(BridgeRefusal) -> Void) async throws(MatrixErrorBody) {
        do throws(BridgeRefusal) {
            try await act()
        } catch {
            throw MatrixErrorBody(error, toOperator: true)
        }
    }
}
