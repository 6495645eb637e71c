// Many coloured line segments as one object of NiceGUI's scene.
import { THREE } from "nicegui-scene";

export default class Segments {
  mesh;

  create_mesh(ends) {
    const material = new THREE.LineBasicMaterial({ transparent: true });
    this.mesh = new THREE.LineSegments(new THREE.BufferGeometry(), material);
    this.mesh.frustumCulled = false;
    this.set_ends(ends);
    return this.mesh;
  }

  set_ends(ends) {
    const positions = new THREE.Float32BufferAttribute(ends.flat(2), 3);
    this.mesh.geometry.setAttribute("position", positions);
  }
}
