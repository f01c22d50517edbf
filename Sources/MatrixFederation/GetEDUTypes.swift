import HTTPTypes
import MatrixHTTP
import MatrixWire
import PresenceModel
import PresenceRuntime

extension FederationGateway {
    /// `GET /_matrix/federation/unstable/io.fsky.vel/edutypes` → `{"m.presence":true,…}`: which EDUs may be sent here.
    ///
    /// For anyone, without a signature; one that is there must be good, and is a sign of life. Types that are not ours
    /// are not named: they may be wanted by a homeserver of the same name. Spec: MSC4373.
    func getEDUTypes(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        if request.headers[.authorization] != nil {
            let claim = try authentication.claim(of: request)
            let key = try await authentication.key(of: claim)
            try await authentication.verify(request, body: nil, claim, key: key)
            try rate.take(for: claim.origin)
            await runtime.submit(.federation(.heard(from: claim.origin)))
        }
        let types = configuration.directions.contains(.receive) ? EDUTypesBody.everything : .nothing
        var answer = Answer.json(types.encode())
        answer.headers[.cacheControl] = "max-age=\(EDUOptOuts.renewal.components.seconds)"
        return answer
    }
}
