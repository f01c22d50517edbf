import MatrixHTTP
import MatrixWire

extension ClientGateway {
    /// `GET /_matrix/client/versions` → `{"versions":[…],"unstable_features":{…}}`, for anyone.
    ///
    /// Versions whose presence endpoints are these. Spec: client-server API, API versions.
    func getVersions() -> Answer {
        let versions = ["r0.0.1", "r0.1.0", "r0.2.0", "r0.3.0", "r0.4.0", "r0.5.0", "r0.6.0", "r0.6.1"]
        let numbered = (1...15).map { "v1.\($0)" }
        let document: JSONValue = [
            "versions": .array((versions + numbered).map { .string($0) }),
            "unstable_features": .object(unstableFeatures),
        ]
        return .json(CanonicalJSON.encode(document))
    }

    /// What is switched on of that which is in no version, for `unstable_features`.
    public var unstableFeatures: JSONObject {
        let features: JSONValue = [
            "org.matrix.msc3026.busy_presence": .bool(configuration.acceptsBusy),
            "org.presenced.contact_policy": true,
            "org.presenced.devices": true,
            "org.presenced.presence_list": true,
            "org.presenced.presence_stream": true,
            "support.feline.msc4043.v1": true,
        ]
        return features.object ?? JSONObject()
    }
}
