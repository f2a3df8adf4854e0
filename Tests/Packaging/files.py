"""Holds the compose file and the Kubernetes manifests against their schemas, and the latter against themselves: lets
kubectl build each kustomization, and looks up every reference.
"""

import json
import pathlib
import re
import subprocess
import sys

import compose_spec
import kubernetes_validate
import yaml

# The oldest version of Kubernetes that the manifests are for, and one of today.
VERSIONS = ["1.29", "1.34"]
problems = []


def expect(holds, words):
    if not holds:
        problems.append(words)


def compose(path):
    document = yaml.safe_load(path.read_text())
    compose_spec.PyCompose.from_json(json.dumps(document))
    print(f"ok: {path.name} is a compose file of {len(document['services'])} services")


def build(folder):
    """What `kubectl apply -k` would send."""
    kubectl = pathlib.Path(sys.executable).parent / "kubectl"
    built = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True)
    if built.returncode:
        sys.exit(built.stderr)
    return list(yaml.safe_load_all(built.stdout))


def sources(folder):
    """The files that a kustomization is made from."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    files = {folder / "kustomization.yaml"}
    generated = [name for each in kustomization.get("configMapGenerator", []) for name in each["files"]]
    for path in [(folder / name).resolve() for name in kustomization["resources"] + generated]:
        files |= sources(path) if path.is_dir() else {path}
    return files


def pod(resource):
    return resource.get("spec", {}).get("template", {}).get("spec") if resource["kind"] in WORKLOADS else None


def containers(resource):
    spec = pod(resource) or {}
    return spec.get("initContainers", []) + spec.get("containers", [])


WORKLOADS = ["Deployment", "DaemonSet"]
# What the comment in settings.yaml tells to make.
SECRETS = {"quash-issuer": {"signing.pem", "admin-token", "redis-password"}, "quash-validator": {"redis-password"}}


def look_up(name, resources, version):
    by = {(resource["kind"], resource["metadata"]["name"]): resource for resource in resources}
    expect(len(by) == len(resources), f"{name}: a resource is there twice")
    labels = {}
    for resource in filter(pod, resources):
        where = f"{name}: {resource['kind']} {resource['metadata']['name']}"
        template = resource["spec"]["template"]
        labels[resource["metadata"]["name"]] = template["metadata"]["labels"]
        expect(matches(resource["spec"]["selector"]["matchLabels"], template), f"{where} does not select its own pods")
        spec = template["spec"]
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        used = {mount["name"] for each in containers(resource) for mount in each.get("volumeMounts", [])}
        expect(set(volumes) == used, f"{where}: volumes {set(volumes)}, mounts {used}")
        for volume in volumes.values():
            for kind, of in [("ConfigMap", "name"), ("PersistentVolumeClaim", "claimName")]:
                key = kind[0].lower() + kind[1:]
                if key in volume:
                    expect((kind, volume[key][of]) in by, f"{where}: no {kind} {volume[key][of]}")
            if "secret" in volume:
                expect(volume["secret"]["secretName"] in SECRETS, f"{where}: no secret is described")
                # Root's, for the group of the pod: quash takes it so.
                expect(volume["secret"]["defaultMode"] == 0o440, f"{where}: the mode of the secret")
        security = spec["securityContext"]
        if any("persistentVolumeClaim" in volume for volume in volumes.values()):
            # Else each mount lets the group write what is there, and an issuer refuses such an outbox.
            expect(security.get("fsGroupChangePolicy") == "OnRootMismatch", f"{where}: its volume's files change modes")
        priority = spec.get("priorityClassName")
        expect(priority is None or ("PriorityClass", priority) in by, f"{where}: no PriorityClass {priority}")
        everywhere = spec.get("tolerations") == [{"operator": "Exists"}]
        expect(everywhere == (resource["kind"] == "DaemonSet"), f"{where}: the nodes that it is on")
        expect(security["runAsUser"] == security["fsGroup"] == 10001 and security["runAsNonRoot"], f"{where}: its user")
        for container in containers(resource):
            look_up_container(f"{where}: {container['name']}", container, volumes, by, version)
    for resource in resources:
        where = f"{name}: {resource['kind']} {resource['metadata']['name']}"
        if resource["kind"] == "Service":
            wanted = resource["spec"]["selector"]
            selected = [each for each in filter(pod, resources) if matches(wanted, each["spec"]["template"])]
            expect(len(selected) == 1, f"{where} selects {len(selected)} workloads")
            named = {port["name"] for each in selected for one in containers(each) for port in one.get("ports", [])}
            expect({port["targetPort"] for port in resource["spec"]["ports"]} <= named, f"{where}: its ports")
        if resource["kind"] == "PodDisruptionBudget":
            wanted = resource["spec"]["selector"]["matchLabels"]
            expect(any(wanted == each for each in labels.values()), f"{where} is for no pods")
        if resource["kind"] == "NetworkPolicy":
            wanted = resource["spec"]["podSelector"].get("matchLabels", {})
            selected = [each for each in filter(pod, resources) if matches(wanted, each["spec"]["template"])]
            expect(selected, f"{where} is for no pods")
            named = {port["name"] for each in selected for one in containers(each) for port in one.get("ports", [])}
            for rule in resource["spec"].get("ingress", []):
                expect({port["port"] for port in rule["ports"]} <= named, f"{where}: its ports")
            for rule in resource["spec"].get("egress", []):
                for peer in rule["to"]:
                    if "podSelector" in peer:
                        expect(peer["podSelector"]["matchLabels"] in labels.values(), f"{where} leads to no pods")
    expect(len(by) > 8, f"{name} is almost empty")


def matches(selector, template):
    return selector.items() <= template["metadata"]["labels"].items()


def look_up_container(where, container, volumes, by, version):
    expect(":" in container["image"], f"{where}: an image without a version")
    if container["image"].startswith("quash:"):
        expect(container["image"] == f"quash:{version}", f"{where}: {container['image']}, and quash is {version}")
    ports = {port["name"] for port in container.get("ports", [])}
    for kind in ["startupProbe", "livenessProbe", "readinessProbe"]:
        probe = container.get(kind, {})
        for way in ["httpGet", "tcpSocket"]:
            if way in probe:
                expect(probe[way]["port"] in ports, f"{where}: {kind} asks a port without a name")
    expect("readinessProbe" in container and "limits" in container["resources"], f"{where}: probes and limits")
    restricted = container["securityContext"]
    expect(
        restricted["capabilities"] == {"drop": ["ALL"]} and restricted["readOnlyRootFilesystem"]
        and not restricted["allowPrivilegeEscalation"], f"{where} may do more than it needs")
    settings = {each["name"]: each.get("value", "") for each in container.get("env", [])}
    for source in container.get("envFrom", []):
        name = source["configMapRef"]["name"]
        expect(("ConfigMap", name) in by, f"{where}: no ConfigMap {name}")
        settings |= by.get(("ConfigMap", name), {}).get("data", {})
    role = (container.get("args") or [None])[0]
    if role in ("issuer", "validator"):
        needed, limit = memory(role, settings), mebibytes(container["resources"]["limits"]["memory"])
        expect(needed <= limit, f"{where}: may need {needed} MiB, and has {limit}")
    known = set(re.findall(r"^\| `([a-z-]+)` \|", TABLE, re.MULTILINE))
    mounts = {mount["mountPath"]: volumes.get(mount["name"], {}) for mount in container.get("volumeMounts", [])}
    for key, value in settings.items():
        setting = key.removeprefix("QUASH_").lower().replace("_", "-")
        expect(setting in known, f"{where}: {key} is no setting")
        if value.startswith("/run/secrets/quash/"):
            name = mounts.get("/run/secrets/quash", {}).get("secret", {}).get("secretName")
            expect(value.removeprefix("/run/secrets/quash/..data/") in SECRETS.get(name, ()), f"{where}: {value}")
        elif value.startswith("/"):
            expect(any(value.startswith(path + "/") for path in mounts), f"{where}: {value} is on no volume")


def mebibytes(quantity):
    number, unit = re.fullmatch(r"([0-9]+)([MG]i)", quantity).groups()
    return int(number) * (1024 if unit == "Gi" else 1)


def memory(role, settings):
    """MiB of a node that is full: at most 33 bytes a token or session, which an issuer has in its outbox too; 1 KiB for
    each token that a loop remembers; and 64 MiB for the rest. Without a number of loops, a large machine's."""
    def count(name, default=None):
        given = re.search(rf"^\| `{name}` \|[^\n]*\| `([0-9]+)` \|", TABLE, re.MULTILINE)
        return int(settings.get("QUASH_" + name.upper().replace("-", "_")) or default or given[1])

    index = count("max-revocations") * 33
    if role == "issuer":
        return 64 + 2 * index // 2**20
    return 64 + (index + count("loops", 64) * count("token-cache") * 1024) // 2**20


root = pathlib.Path(sys.argv[1]).resolve()
TABLE = (root / "Sources/QuashServer/QuashServer.docc/Configuration.md").read_text()
version = re.search(r'current = "(.*)"', (root / "Sources/QuashServer/BuildVersion.swift").read_text())[1]
compose(root / "docker/compose.yaml")
seen = set()
for overlay in sorted((root / "docker/kubernetes/overlays").iterdir()):
    resources = build(overlay)
    seen |= sources(overlay)
    look_up(overlay.name, resources, version)
    for resource in resources:
        for version_of_kubernetes in VERSIONS:
            kubernetes_validate.validate(resource, version_of_kubernetes, strict=True)
    print(f"ok: kubernetes, {overlay.name}: {len(resources)} resources, by the schemas of {' and '.join(VERSIONS)}")
files = {path for path in (root / "docker/kubernetes").rglob("*") if path.is_file()}
expect(files == seen, f"not part of any kustomization: {files - seen}")
# The sidecar's gateway has the shipped configuration, with the addresses of its pod.
shipped = (root / "docker/gateways/nginx/nginx.conf").read_text()
here = (root / "docker/kubernetes/overlays/sidecar/nginx.conf").read_text()
for old, new in [("validator-1:8081", "127.0.0.1:8081"), ("application:8090", "application.default.svc:8090")]:
    shipped = shipped.replace(f"server {old}", f"server {new}")
expect(shipped == here, "overlays/sidecar/nginx.conf is not docker/gateways/nginx/nginx.conf with other addresses")
if problems:
    sys.exit("\n".join(problems))
