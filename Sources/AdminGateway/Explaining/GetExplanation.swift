import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

extension AdminGateway {
    /// `GET /_presenced/admin/v1/explain?user=@user:server&observer=@user:server`, or `&server=name` → 200: why the
    /// observer, or anyone at the server, sees the user or does not; and why the last EDU was sent or not. Sentences, the
    /// most important first, and what they were made of. Never a status text.
    func getExplanation(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        guard let user = try request.queryValue("user") else {
            throw MatrixErrorBody(.missingParameter, "user is needed.")
        }
        let other: ExplanationReport.Other
        switch (try request.queryValue("observer"), try request.queryValue("server")) {
        case (let observer?, nil): other = .observer(try AdminGateway.user(observer))
        case (nil, let name?):
            guard let server = try? ServerName(parsing: name) else {
                throw MatrixErrorBody(.invalidParameter, "server is not a server name.")
            }
            other = .server(server)
        case (nil, nil), (.some, .some):
            throw MatrixErrorBody(.missingParameter, "One of observer and server is needed.")
        }
        let asked = try AdminGateway.user(user)
        let report = await runtime.inspect { instance, now in ExplanationReport(of: asked, other, in: instance, at: now)
        }
        return .json(CanonicalJSON.encode(report.json))
    }

    private static func user(_ text: String) throws(MatrixErrorBody) -> UserID {
        do throws(IdentifierError) {
            return try UserID(parsing: text)
        } catch {
            throw .notAUser(error)
        }
    }
}
