import AuthChain
import BridgeEngine
import MatrixHTTP
import MatrixWire
import PresenceModel
import SocialBridge
import SocialEngine

// A user's own part in the bridge.
extension BridgeGateway {
    /// `GET …/org.presenced/bridge` → 200 `{"address"?,"sources"?:["rule"|"file"|"operator"|"proof"…],"participates",
    /// "chosen":bool|null,"privacy","sessions":[{"service","open","closed_since_ts"?,"latest_failure"?}…],
    /// "credentials":[{"kind","state","address","expires_ts"?}…]}`. Never with a secret.
    func getOwnBridge(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        .json(CanonicalJSON.encode(await desk.account(of: try await caller(of: request)).json))
    }

    /// `PUT …/org.presenced/bridge/settings`: `{"participates"?:bool|null,"privacy"?}` → 200 `{}`, on disk by then.
    func putOwnSettings(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let user = try await changer(of: request)
        let choice = try await choice(in: request)
        try await asking { () throws(BridgeRefusal) in try await desk.choose(choice, of: user) }
        return .emptyObject
    }

    /// `PUT …/org.presenced/bridge/link`: `{"address","timestamp","auth_chain","token"?|"identity"?}` → 200 `{}`, on disk
    /// by then: the wallet of `address` signed `presenced link @user:server TIMESTAMP` within the last five minutes. The
    /// user takes part in the external service from then on, unless they declined. Each proof counts once.
    func putOwnLink(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let user = try await changer(of: request)
        let body = try BridgeLinkBody.decode(try await request.bodyBytes(limit: configuration.bodyLimitBytes))
        let now = wall()
        let address = try address(body.address)
        let proof: LinkProof
        do throws(AuthChainError) {
            proof = LinkProof(user: user, timestamp: body.timestamp, chain: try AuthChain(body.chain))
            guard try proof.signer(at: now).text == address.text else { throw .otherAddress }
        } catch {
            throw MatrixErrorBody(.forbidden, "The proof does not hold: \(error.message).")
        }
        let credential = try body.credential.map { (body) throws(MatrixErrorBody) in
            try self.credential(body, of: user, at: address, now)
        }
        // All that can be wrong is found before the proof is spent and the link made.
        if let credential, !desk.takes(credential.kind) {
            throw MatrixErrorBody(.notTaken(credential.kind), toOperator: false)
        }
        guard spent.spend(proof, at: now) else {
            throw MatrixErrorBody(.forbidden, "The proof does not hold: it is not later than the last one.")
        }
        try await asking { () throws(BridgeRefusal) in
            try await desk.link(Link(user: user, address: address), by: .proof)
            if let credential { try await desk.handOver(credential) }
        }
        return .emptyObject
    }

    /// `DELETE …/org.presenced/bridge/link` → 200 `{}`, also if there was none: the own proof, and what was handed over,
    /// are gone from the disk. What the operator, a file or the rule say stays; `participates: false` ends that.
    func deleteOwnLink(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let user = try await changer(of: request)
        try await asking { () throws(BridgeRefusal) in try await endLinks(of: user, by: [.proof]) }
        return .emptyObject
    }

    /// `PUT …/org.presenced/bridge/credential`: `{"token"}` or `{"identity":{"auth_chain","ephemeral_private_key"}}` → 200
    /// `{}`, on disk by then. For linked users; an identity must be of the wallet that they are linked to.
    func putOwnCredential(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let user = try await changer(of: request)
        let body = try BridgeCredentialBody.decode(
            try await request.bodyBytes(limit: configuration.bodyLimitBytes))
        guard let address = await desk.account(of: user).view.link?.address else {
            throw MatrixErrorBody(.notLinked, toOperator: false)
        }
        let credential = try credential(body, of: user, at: address, wall())
        try await asking { () throws(BridgeRefusal) in try await desk.handOver(credential) }
        return .emptyObject
    }

    /// `DELETE …/org.presenced/bridge/credential` → 200 `{}`, also if there was none; gone from the disk by then.
    func deleteOwnCredential(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let user = try await changer(of: request)
        try await asking { () throws(BridgeRefusal) in try await desk.takeBackCredentials(of: user) }
        return .emptyObject
    }

    private func credential(
        _ body: BridgeCredentialBody, of user: UserID, at address: SocialAddress, _ now: Instant
    ) throws(MatrixErrorBody) -> HandedCredential {
        switch body {
        case .token(let token):
            return HandedCredential(user: user, kind: .token, secret: token, address: address)
        case .identity(let value):
            let identity: EphemeralIdentity
            do throws(AuthChainError) {
                identity = try EphemeralIdentity(value, at: now)
            } catch {
                throw MatrixErrorBody(.invalidParameter, "The identity does not hold: \(error.message).")
            }
            guard identity.address.text == address.text else {
                throw MatrixErrorBody(.otherAddress, toOperator: false)
            }
            // Whatever else came with it is not kept.
            return HandedCredential(
                user: user, kind: .identity, secret: identity.text, address: address, expires: identity.expiration)
        }
    }

    private func asking(_ act: () async throws(BridgeRefusal) -> Void) async throws(MatrixErrorBody) {
        do throws(BridgeRefusal) {
            try await act()
        } catch {
            throw MatrixErrorBody(error, toOperator: false)
        }
    }
}
